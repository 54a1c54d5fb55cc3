"""The words of the house: tables, protocols, errors, telemetry. Imports nothing from other rooms."""
