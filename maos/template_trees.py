"""Trees of templates: what one may consist of, and where its work is charged for."""

from collections.abc import Iterator, Mapping
from copy import deepcopy

from jinja2 import TemplateSyntaxError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.visitor import NodeTransformer

from maos.sandbox import BUDGET, CHARGED, PLAIN, SANDBOX, Budget

MOST_TEMPLATE_CHARACTERS = 100_000
# Nothing that is called, loaded, or written into a variable as it is rendered.
_NODES = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.For, nodes.If, nodes.Assign, nodes.Name, nodes.Const),
    *(nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Keyword, nodes.CondExpr, nodes.Filter, nodes.Test),
    *(nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Concat, nodes.Compare, nodes.Operand, nodes.And, nodes.Or),
    *(nodes.Not, nodes.Neg, nodes.Pos, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod),
)


class _Charging(NodeTransformer):
    """Has every loop, comparison, slice and composition charged for."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - the name is Jinja's
        body = sum(1 for _ in node.find_all(nodes.Node))
        self.generic_visit(node)
        node.iter = _charge_for(node.iter, times=body)
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.expr = _charge_for(node.expr)
        for operand in node.ops:
            operand.expr = _charge_for(operand.expr)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.nodes = [_charge_for(part) for part in node.nodes]
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _charge_for(node) if isinstance(node.arg, nodes.Slice) else node

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _charge_for(node)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _charge_for(node)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _charge_for(node) if node.ctx == "load" else node


def _charge_for(node: nodes.Node, *, times: int = 1) -> nodes.Filter:
    return nodes.Filter(node, CHARGED, [nodes.Const(times)], [], None, None, lineno=node.lineno)


def parsed(template: str) -> nodes.Template:
    """Return the tree of a template.

    Raises:
        TemplateSyntaxError: naming the line.
    """
    if len(template) > MOST_TEMPLATE_CHARACTERS:
        raise TemplateSyntaxError(f"longer than {MOST_TEMPLATE_CHARACTERS:,} characters", 1)
    return SANDBOX.parse(template)


def forbidden_in(tree: nodes.Template) -> list[str]:
    """Return what a template uses that it may not, each with its line."""
    return [f"line {node.lineno}: {fault}" for node in tree.find_all(nodes.Node) if (fault := _fault_of(node))]


def _fault_of(node: nodes.Node) -> str | None:
    if not isinstance(node, _NODES):
        return f"{type(node).__name__} is not allowed"
    if isinstance(node, nodes.For) and node.recursive:
        return "a recursive loop is not allowed"
    if isinstance(node, nodes.Filter) and node.name not in PLAIN.filters:
        return f"no filter {node.name!r}; filters: {', '.join(sorted(PLAIN.filters))}"
    if isinstance(node, nodes.Test) and node.name not in PLAIN.tests:
        return f"no test {node.name!r}; tests: {', '.join(sorted(filter(str.isalpha, PLAIN.tests)))}"
    return None


def names_in(tree: nodes.Template) -> set[str]:
    """Return the names that a template expects to be given."""
    known = deepcopy(tree)
    for node in known.find_all((nodes.Filter, nodes.Test)):
        # Jinja would stop at the first that it does not know.
        node.name = "default" if isinstance(node, nodes.Filter) else "defined"
    return meta.find_undeclared_variables(known)


def parts_of(tree: nodes.Template, values: Mapping[str, object]) -> Iterator[str]:
    """Return the rendered text, part by part.

    Raises:
        TemplateError: when a name is undefined, or the template asks for more than the sandbox gives.
    """
    if faults := forbidden_in(tree):
        raise SecurityError("; ".join(faults))
    charging: nodes.Template = _Charging().visit(tree)
    charging.set_environment(SANDBOX)
    try:
        compiled = SANDBOX.from_string(charging)
    except SyntaxError as error:
        # Python's own, of what Jinja has made of the template.
        raise TemplateSyntaxError(error.msg, 1) from None
    return compiled.generate({**values, BUDGET: Budget()})
