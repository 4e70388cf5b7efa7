"""From verdicts to the configuration of an MTA: the policy, its difference to the one in use, a canary."""
