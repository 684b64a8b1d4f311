"""The audit of the proofs catches every fault it was built for: each is planted here once."""

from __future__ import annotations

import importlib
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

PROOFS = Path(__file__).resolve().parents[2] / "proofs"
needs_coq = pytest.mark.skipif(shutil.which("coqc") is None, reason="Coq is not installed")


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    return importlib.import_module("audit")


def project(root: Path, source: str, *, compiled: bool = False) -> Path:
    """A small proof project with one file."""
    (root / "theories").mkdir()
    (root / "theories" / "Bad.v").write_text(source)
    flags = (PROOFS / "_CoqProject").read_text().splitlines()[:2]
    (root / "_CoqProject").write_text("\n".join([*flags, "theories/Bad.v", ""]))
    if compiled:
        build(root).check_returncode()
    return root


def build(root: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = ["coqc", *flags, "-Q", "theories", "HDPO", "theories/Bad.v"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


HOLES = [
    "Lemma x : 1 = 2. Proof. Admitted.",
    "Lemma x : 1 = 2. Proof. admit. Defined.",
    "Goal 1 = 2. give_up. Abort.",
    "Axiom x : 1 = 2.",
    "Axioms x y : 1 = 2.",
    "Theorem y : True. exact I. Qed. Parameter x : 1 = 2.",
    "Conjecture x : 1 = 2.",
    "Unset Guard Checking.",
    "Unset  Positivity Checking.",
    "#[bypass_check(guard)] Fixpoint f (n : nat) : nat := f n.",
]


@pytest.mark.parametrize("source", HOLES)
def test_words_that_leave_a_hole_are_found(audit, tmp_path, source):
    """Wherever they stand in the line."""
    files = importlib.import_module("coq").theories(project(tmp_path, f"(* fine *)\n{source}\n"))
    assert len(audit.holes(files)) == 1
    assert "Bad.v:2" in audit.holes(files)[0]


@pytest.mark.parametrize(
    "source",
    [
        "(* Admitted, Axiom (* nested: Parameter *) admit *)",
        'Definition s := "Axiom (* not a comment".',
        "Lemma admits_nothing : True. exact I. Qed.",
    ],
)
def test_words_in_comments_and_strings_are_not(audit, tmp_path, source):
    """The audit would be switched off if it cried wolf."""
    files = importlib.import_module("coq").theories(project(tmp_path, source))
    assert audit.holes(files) == []


def test_files_outside_the_build_are_found(audit, tmp_path):
    """A theory that nobody compiles proves nothing."""
    root = project(tmp_path, "Lemma x : True. exact I. Qed.")
    (root / "theories" / "Stray.v").write_text("Axiom x : False.")
    files = importlib.import_module("coq").theories(root)
    assert audit.strays(root, files) == ["Stray.v: not in _CoqProject"]


@needs_coq
@pytest.mark.parametrize(
    "source",
    [
        "Axiom bad : 1 = 2.\nTheorem t : 1 = 2. Proof. exact bad. Qed.",
        "Axiom bad : 1 = 2. Theorem t : 1 = 2. Proof. exact bad. Qed.",
        "Parameter bad : 1 = 2.\nLemma t : 1 = 2. Proof. exact bad. Qed.",
        "Theorem bad : 1 = 2. Admitted.\nCorollary t : 1 = 2. Proof. exact bad. Qed.",
        "Variable bad : 1 = 2.\nTheorem t : 1 = 2. Proof. exact bad. Qed.",
    ],
)
def test_an_axiom_behind_a_theorem_is_named(audit, tmp_path, source):
    """Coq itself says what a statement rests on, even if no forbidden word is in the source."""
    root = project(tmp_path, source, compiled=True)
    coq = importlib.import_module("coq")
    names = [n for theory in coq.theories(root) for n in theory.names(coq.PROVED)]
    for each in (False, True):
        used = audit.assumptions(names, root, each=each)
        key = "Bad.t" if each else "all"
        assert used[key] - audit.ALLOWED == {"Bad.bad"}


@needs_coq
def test_a_top_level_variable_stops_the_build(tmp_path):
    """Coq 8.16 would turn it into an axiom with only a warning; _CoqProject makes it an error."""
    root = project(tmp_path, "Variable bad : 1 = 2.\n")
    assert build(root).returncode == 0
    (flags,) = [
        line.split("-arg")[-1].split()
        for line in (root / "_CoqProject").read_text().splitlines()
        if line.startswith("-arg")
    ]
    assert build(root, "-w", *flags).returncode != 0


@needs_coq
def test_a_changed_definition_or_statement_changes_the_snapshot(tmp_path):
    """The audit is green for both; the committed snapshot is not."""
    snapshot = importlib.import_module("snapshot")
    base = "Definition two := 1 + {}.\nTheorem t : two {} 3. Proof. {} Qed.\n"
    printed = []
    for i, parts in enumerate([("1", "<=", "auto."), ("2", "<=", "auto."), ("1", "<", "auto.")]):
        folder = tmp_path / str(i)
        folder.mkdir()
        printed.append(snapshot.snapshot(project(folder, base.format(*parts), compiled=True)))
    assert len(set(printed)) == 3


def test_without_coq_the_build_says_what_to_install(tmp_path):
    """Nothing is installed silently: the two packages are named and make fails."""
    for tool in ("make", "sh", "echo"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or pytest.skip(f"no {tool}"))
    command = ["make", "--no-print-directory", "-C", str(PROOFS), "coq"]
    done = subprocess.run(
        command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "coq libcoq-coquelicot" in done.stderr
