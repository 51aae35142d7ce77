from fleet_infra.cli import main

main()
