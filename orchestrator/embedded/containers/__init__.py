"""Images and containers of simulated pods: what they do, in functions or declared."""
