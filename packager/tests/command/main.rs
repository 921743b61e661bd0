//! The `lectern` command, as a process. One binary: each would link all that the stand-in for a bucket needs.

mod boundaries;
mod bucket;
mod check;
mod common;
mod elsewhere;
mod extras;
mod faults;
mod faulty_edge;
mod hostile;
mod inputs;
mod instant;
mod lip_sync;
mod live;
mod objects;
mod package;
mod proxy;
mod publish;
mod recordings;
mod repairs;
mod resume;
mod rooms;
mod ship;
mod silences;
mod stored;
mod transport;
mod work;
