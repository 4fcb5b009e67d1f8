//! `sluice`: parse, resolve, run, exit code.

/// A poll of the operator makes thousands of small allocations inside the AWS SDK.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}
