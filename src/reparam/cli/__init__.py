"""The command line. Heavy imports wait until a command runs."""


def start() -> None:
    """The command `reparam`."""
    from .main import main
    from .startup import begin

    begin()
    main()
