//! Redirects a pod's TCP traffic through its proxy, and checks that it is redirected.
//!
//! Two programs share this library. `linkerd2-proxy-init` takes the ports of the proxy and what is
//! to be left alone, and gives firewall rules in the `nat` table of a network namespace.
//! `linkerd2-network-validator` takes two addresses, and gives an exit code that tells whether a
//! connection to one arrives at the other.
//!
//! Invariants:
//!
//! - every argument is checked, and every mistake told, before anything is changed;
//! - the rules of an IP version come into force all at once or not at all, whatever was there
//!   before, and are read back and compared before the program says that it succeeded;
//! - rules of others in the `nat` table stay;
//! - [`core`] decides and runs nothing; [`init`] and [`validator`] run and decide nothing.

pub mod core;
pub mod init;
pub mod validator;
