"""An imaging centre: its modality makes images, its PACS keeps them, its RIS sends the report."""
