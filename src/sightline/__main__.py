"""`python -m sightline`, where the script is not on the path."""

from sightline.cli.main import main

if __name__ == "__main__":
    main()
