-- The structure by which a submission set came, as the sender proved: what it brought for authors
-- elsewhere is its own to find, replace and take back. Of what is held already nobody knows it.

ALTER TABLE submission_set ADD COLUMN submitter TEXT NOT NULL DEFAULT '';
