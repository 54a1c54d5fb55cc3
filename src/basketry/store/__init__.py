"""What must never be lost: tables as committed, releases as published."""
