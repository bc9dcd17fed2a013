"""The processes of the line: five stages, the learner, the supervisor, and what wires them."""
