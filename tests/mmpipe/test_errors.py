from mmpipe import errors


def test_exit_codes_are_those_of_the_command_line_contract() -> None:
    expected = {
        "MmpipeError": 1, "UsageError": 2, "NotRunningError": 3, "ConfigError": 4, "DeadlineError": 5,
        "RiskHaltedError": 6, "PreflightError": 7, "AcceptanceError": 8, "DataError": 1, "JournalError": 1,
        "VenueError": 1, "ArtefactError": 7,
    }  # fmt: skip
    found = {
        name: cls.exit_code
        for name, cls in vars(errors).items()
        if isinstance(cls, type) and issubclass(cls, errors.MmpipeError)
    }
    assert found == expected


def test_the_drawn_tree_names_every_error() -> None:
    drawn = errors.__doc__ or ""
    for name, cls in vars(errors).items():
        if isinstance(cls, type) and issubclass(cls, errors.MmpipeError):
            assert name in drawn
