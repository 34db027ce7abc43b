"""The monthly scorecard of departments as people read it: its data, the page, the workbook."""
