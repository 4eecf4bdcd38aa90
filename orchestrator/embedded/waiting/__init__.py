"""What can be waited for, and what is said where it does not come."""
