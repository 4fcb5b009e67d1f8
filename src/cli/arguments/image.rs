//! How the program becomes a container image.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `image`.
#[derive(Debug, Subcommand)]
pub enum Image {
    /// Write it as an archive for `docker load`, `ctr images import` or `kind load image-archive`
    Save(Save),
    /// Send it to a registry: to ECR as whoever calls AWS, else with the credentials of `docker login`
    Push(Push),
}

/// `image save`.
#[derive(Debug, Args)]
pub struct Save {
    /// The archive to write
    #[arg(value_name = "FILE")]
    pub archive: PathBuf,
    /// What it is called where it is loaded
    #[arg(long, value_name = "NAME:TAG", default_value = stack::IMAGE_DEFAULT)]
    pub name: String,
    /// A Linux build of sluice that is taken in place of this program
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
}

/// `image push`.
#[derive(Debug, Args)]
pub struct Push {
    /// Where it goes: REGISTRY/REPOSITORY:TAG
    #[arg(value_name = "REFERENCE")]
    pub reference: String,
    /// Speak http to the registry (to one on this machine that is done anyway)
    #[arg(long)]
    pub plain_http: bool,
    /// A Linux build of sluice that is taken in place of this program
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
}
