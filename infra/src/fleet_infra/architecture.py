"""Which module may import which: a contract for import-linter, and the features with their imports as text.

`python -m fleet_infra.architecture [SERVICE ...]` prints, for each service, the order of its packages from
.importlinter (imports point downwards only) and what each feature imports in fact.
"""

import configparser
import sys
from collections import defaultdict
from typing import Any, cast

import grimp
from importlinter import Contract, ContractCheck, fields, output
from importlinter.application import contract_utils

SERVICES = ("signing_service", "device_service", "sim_service", "monitoring_service", "device_simulator")


class InternalModules(Contract):
    """Modules with these last names, such as `repository`, are imported from inside their package only."""

    type_name = "internal"
    names = fields.SetField(subfield=fields.StringField())
    ignore_imports = fields.SetField(subfield=fields.ImportExpressionField(), required=False)

    def check(self, graph: grimp.ImportGraph, verbose: bool) -> ContractCheck:
        names, ignored = cast("Any", (self.names, self.ignore_imports))
        contract_utils.remove_ignored_imports_and_report(graph, ignored, contract_utils.AlertLevel.ERROR)
        broken = [
            f"{importer} -> {module}"
            for module in sorted(graph.modules)
            if module.rpartition(".")[2] in names
            for importer in sorted(graph.find_modules_that_directly_import(module))
            if not importer.startswith(module.rpartition(".")[0] + ".")
        ]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["broken"]:
            output.print_error(line)
        output.print_error("Use the service or queries module that the other feature offers.")


def describe(service: str) -> str:
    """The packages of a service in their order, and each feature with what it imports of the service."""
    graph = grimp.build_graph(service)
    imports: dict[str, set[str]] = defaultdict(set)
    for module in graph.modules - {service}:
        feature = _feature(graph, service, module)
        found = {_feature(graph, service, one) for one in graph.find_modules_directly_imported_by(module)}
        imports[feature] |= found - {feature, ""}
    lines = [service, *_orders(service), "  imports in fact:"]
    lines += [f"    {name:24} -> {', '.join(sorted(to))}" for name, to in sorted(imports.items()) if to]
    return "\n".join(lines)


def _feature(graph: grimp.ImportGraph, service: str, module: str) -> str:
    """`package.feature` or `feature`, whatever has modules of its own; a module at the top is itself."""
    parts = module.removeprefix(service).strip(".").split(".")
    two = ".".join(parts[:2])
    return two if len(parts) > 1 and graph.find_children(f"{service}.{two}") else parts[0]


def _orders(service: str) -> list[str]:
    config = configparser.ConfigParser()
    config.read(".importlinter")
    lines = []
    for section in (config[name] for name in config.sections() if config[name].get("type") == "layers"):
        layers = " / ".join(one.strip() for one in section["layers"].strip().splitlines())
        containers = section.get("containers", "").split()
        if containers == [service]:
            lines.append(f"  top to bottom: {layers}")
        elif len(containers) == 1 and containers[0].startswith(f"{service}."):
            lines.append(f"  inside {containers[0].removeprefix(service + '.')}: {layers}")
    return lines


if __name__ == "__main__":
    services = [name.replace("-", "_") for name in sys.argv[1:]] or SERVICES
    print("\n\n".join(describe(service) for service in services))
