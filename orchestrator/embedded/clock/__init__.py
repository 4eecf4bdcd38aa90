"""The cluster's clock: who moves it, and who is waited for."""
