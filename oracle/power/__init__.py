"""What Backproof's verdict can see, measured: beside the usual gradient checks, and against the numbers to hold."""
