//! Identity service: the certificate authority of the workloads.
