"""Pictures: charts and maps as PNG and SVG, with Chinese labels on any machine."""
