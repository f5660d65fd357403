"""Arguments of the command line that train in no time, and what every refusal looks like."""

TINY = ["--rounds", "4", "--early-stopping", "2", "--learning-rate", "0.3", "--threads", "1"]
SIMULATED = ["--dataset", "simulated", "--exposures", "3000", "--ctr", "0.2", "--cvr", "0.3", *TINY]
COMPARE = ["compare", *SIMULATED, "--seeds", "1", "--weight", "0.01,0.1"]
SWEEP = ["compare", *SIMULATED, "--seeds", "2", "--model", "xgboost", "--sweep-weight", "0,0.5,0.01"]


def refused(done: tuple[int, str, str]) -> str:
    """Return the message of a command that printed nothing else and ended with code 2: one line."""
    code, out, err = done
    assert (code, out) == (2, ""), err
    assert len(err.splitlines()) == 1, err
    assert err.startswith("gbdt-pwiser: "), err
    assert err.endswith("\n")
    return err.removeprefix("gbdt-pwiser: ").removesuffix("\n")


def beside_compare(value: object) -> str:
    """Return the id of a parameter: the arguments that are not of COMPARE, and nothing for a message."""
    return " ".join(word for word in value if word not in COMPARE) if isinstance(value, list) else ""
