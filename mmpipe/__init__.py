"""mmpipe: a closed-loop market maker for perpetual futures in five core-pinned processes."""
