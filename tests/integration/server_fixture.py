# SPDX-License-Identifier: Apache-2.0
"""What the fixtures of servers have in common."""


class Server:
    """Started with the block; whoever derives from it has start() and __exit__, which comes after a start that failed, too."""

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self
