"""Every test may use the fleet's real servers."""

pytest_plugins = ["fleet_infra.testing", "fleet_infra.testing_fleet"]
