-- query: paired_with
SELECT folder_id FROM pairing;

-- query: pair
INSERT INTO pairing (number, folder_id) VALUES (1, :folder_id);
