"""A program is built with the dependencies that its own authors chose."""

from __future__ import annotations

from lab.packages.go_modules import Program, rewrite

GO_MOD = """module k8s.io/kubernetes

go 1.25

require (
\tgithub.com/refused/thing v1.2.3
\tk8s.io/api v0.0.0
)

replace (
\tk8s.io/api => ./staging/src/k8s.io/api
\tgithub.com/a/b => github.com/c/b v1.0.0
)
"""


def test_staging_modules_get_their_released_version() -> None:
    program = Program("k", "k8s.io/kubernetes", "1.36.3", {}, staging="0.36.3")
    text = rewrite(GO_MOD, program)
    assert "\tk8s.io/api => k8s.io/api v0.36.3\n" in text
    assert text.endswith("require k8s.io/kubernetes v1.36.3\n")


def test_without_staging_local_replacements_go_away() -> None:
    text = rewrite(GO_MOD, Program("k", "k8s.io/kubernetes", "1.36.3", {}))
    assert "./staging" not in text


def test_a_module_that_is_not_served_is_a_stub() -> None:
    go_mod = "module example.org/a\n\nreplace example.org/a/internal/b => ./internal/b\n"
    text = rewrite(go_mod, Program("a", "example.org/a", "1.2.3", {}, stub="package PACKAGE\n"))
    assert "\nreplace example.org/a/internal/b => ./stubs/b\n" in text


def test_the_authors_other_replacements_stay() -> None:
    text = rewrite(GO_MOD, Program("k", "k8s.io/kubernetes", "1.36.3", {}))
    assert "\tgithub.com/a/b => github.com/c/b v1.0.0\n" in text


def test_the_module_is_ours() -> None:
    text = rewrite(GO_MOD, Program("k", "k8s.io/kubernetes", "1.36.3", {}))
    assert text.startswith("module rpool.local/build\n")
