//! Tests of the index, by the cases of the specification.

mod endpoints;
mod filters;
mod model;
mod profiles;
mod servers;
mod views;
mod world;
