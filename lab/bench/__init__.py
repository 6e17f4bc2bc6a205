"""Speed, as ratios within one run: what is absolute on a shared machine says little."""
