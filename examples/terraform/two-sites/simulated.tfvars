simulated = true
