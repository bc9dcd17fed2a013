"""From recordings to artefacts: data sets, fits, judgement; offline, beside no live process."""
