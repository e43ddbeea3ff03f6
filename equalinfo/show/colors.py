"""Colours that tell a token from the next.

They alternate between bluish and yellowish ones, the difference that eyes blind to red and green
keep: blue, orange, violet, lime.
"""

# Under dark text, on paper and in light mode; under light text, in dark mode.
LIGHT = ("#b3dcf5", "#ffd6a0", "#e0ccf5", "#d3e89a")
DARK = ("#14557f", "#754400", "#5d3a80", "#47590c")
# Like LIGHT, of the 256 colours that terminals share.
TERMINAL = (153, 223, 183, 193)
