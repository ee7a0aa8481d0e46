//! What a dry run cannot show.
