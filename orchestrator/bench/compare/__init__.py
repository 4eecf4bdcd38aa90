"""The same arrivals and departures under several scheduler configurations, in virtual time."""
