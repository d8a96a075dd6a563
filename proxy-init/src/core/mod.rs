//! The rules: plain data and functions of it, which run nothing.

pub mod backend;
pub mod config;
pub mod plan;
pub mod ports;
pub mod rules;
pub mod saved;

#[cfg(test)]
mod tests;
