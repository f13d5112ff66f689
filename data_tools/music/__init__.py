"""One-staff music as events, and its encodings: PrIMuS semantic, PrIMuS agnostic, MEI; vocabularies."""
