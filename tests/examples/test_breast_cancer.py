"""The breast cancer example: its training, and the app on what the training wrote."""

import csv
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.stack import TREE

EXAMPLE = TREE / "examples" / "breast-cancer"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that the training wrote, and what it said."""
    folder = tmp_path_factory.mktemp("trained")
    said = subprocess.check_output(
        ["Rscript", "train.R"],
        cwd=EXAMPLE,
        env={**os.environ, "SHEEN_OUTPUT": str(folder)},
        text=True,
    )
    return folder, said


def rscript(source: str, folder: Path) -> str:
    environment = {**os.environ, "FOLDER": str(folder)}
    return subprocess.check_output(
        ["Rscript", "-"],
        input=f'source("R/model.R")\n{source}\n',
        cwd=EXAMPLE,
        env=environment,
        text=True,
    )


def test_the_training_prints_its_table_and_does_well_on_held_out_samples(
    trained: tuple[Path, str],
) -> None:
    folder, said = trained
    rows = re.findall(r"^ +\d +0\.\d+ +\d+ +(0\.\d+) +0\.\d+$", said, re.MULTILINE)
    assert len(rows) == 24
    assert rows == sorted(rows, reverse=True)
    found = re.search(r"held-out samples: (0\.\d+)", said)
    assert found
    assert float(found[1]) > 0.98
    assert json.loads((folder / "model.json").read_text())["auc"] == pytest.approx(
        float(found[1]), abs=1e-4
    )


def test_nobody_is_in_both_parts_of_the_data(trained: tuple[Path, str]) -> None:
    folder, _ = trained
    with (folder / "test.csv").open() as file:
        tested = {row["Id"] for row in csv.DictReader(file)}
    everybody = rscript(
        'data("BreastCancer", package = "mlbench"); cat(BreastCancer$Id)', folder
    ).split()
    held_out = sum(patient in tested for patient in everybody)
    with (folder / "test.csv").open() as file:
        assert held_out == len(list(csv.DictReader(file)))


def test_the_model_predicts_without_the_package_what_it_was_scored_with(
    trained: tuple[Path, str],
) -> None:
    folder, _ = trained
    source = """
      folder <- Sys.getenv("FOLDER"); model <- read_model(folder); test <- read_test(folder, model$features)
      cat(area(predict_malignant(model, test), test$malignant) - model$auc, "gbm" %in% loadedNamespaces())
    """  # noqa: E501
    difference, loaded = rscript(source, folder).split()
    assert abs(float(difference)) < 1e-6
    assert loaded == "FALSE"


def test_a_threshold_counts_every_sample_once(trained: tuple[Path, str]) -> None:
    source = """
      p <- c(0.1, 0.4, 0.6, 0.9); truth <- c(0, 1, 0, 1);
      for (t in c(0, 0.5, 0.95)) cat(unlist(at_threshold(p, truth, t)[1:6]), fill = TRUE)
    """
    lines = rscript(source, trained[0]).splitlines()
    assert [line.split() for line in lines] == [
        ["2", "0", "2", "0", "1", "0"],
        ["1", "1", "1", "1", "0.5", "0.5"],
        ["0", "2", "0", "2", "0", "1"],
    ]
