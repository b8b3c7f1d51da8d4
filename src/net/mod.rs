//! Addresses as numbers: families, ranges and interval sets over `u128`. Never address by address.
