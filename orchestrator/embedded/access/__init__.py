"""The ways in for programs and libraries, and what roles let them do."""
