"""How sure a number is: intervals, tests, power and verdicts."""
