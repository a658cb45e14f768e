"""The part of Handlebars that page templates use, in the meaning of handlebars.js 4.

::

    {{name}}  {{a.b}}  {{this}}  {{../name}}  {{@index}}    the value, escaped
    {{{name}}}  {{&name}}                                   the value, not escaped
    {{#if x}} … {{else if y}} … {{else}} … {{/if}}          also unless, each, with
    {{#name}} … {{^}} … {{/name}}  {{^name}} … {{/name}}    Mustache's sections
    {{#each list as |item at|}}                             block parameters
    {{! comment }}  {{!-- comment --}}  \\{{not a tag}}      comments and escapes
    {{~name~}}                                              strips the white space around a tag

A tag alone on its line takes the line with it. Helpers of other names, partials, subexpressions
and raw blocks are refused when the template is read. handlebars.js is what these rules are tested
against.

>>> Template("t", "{{#each dirs}}<a>{{name}}</a>{{else}}none{{/each}}").fill(
...     {"dirs": [{"name": "a&b"}]}
... )
'<a>a&amp;b</a>'
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chalicelib.pages.handlebars.filling import fill
from chalicelib.pages.handlebars.nodes import BadTemplate, Node, Value, Values
from chalicelib.pages.handlebars.reading import read

__all__ = ["BadTemplate", "Template", "Value", "Values"]


class Template:
    """One template, parsed once and filled many times."""

    def __init__(
        self,
        name: str,
        source: str,
        *,
        strict: bool = False,
        around: Callable[[Sequence[Node]], Sequence[Node]] = list,
    ) -> None:
        """Read `source`; with `strict`, a value that is not there is an error when it is filled.

        `around` may add nodes to those that were read.
        """
        self.name = name
        self.source = source
        self._strict = strict
        self._nodes = around(read(name, source))

    def fill(self, values: Values) -> str:
        """Return the text, filled with `values`; raise :class:`BadTemplate` if it is too large."""
        return fill(self.name, self._nodes, values, strict=self._strict)
