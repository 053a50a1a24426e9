"""How fast, side by side: `tox run -e bench` runs this package and writes tables and plots under reports/bench."""
