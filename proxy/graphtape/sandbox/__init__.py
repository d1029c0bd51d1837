"""The simulated tenant: a small Microsoft Graph for demos, practice and tests."""
