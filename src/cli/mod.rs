//! The command line. Progress goes to stderr, results to stdout.
//!
//! Exit status: 0 done, 2 for an argument or a file that cannot be used (`invalid-argument`), 1 for any other failure. With `--json`, results and errors are JSON on stdout.

mod bench;
mod classify;
mod context;
mod data;
mod device;
mod dtype;
mod evaluate;
mod figures;
mod files;
mod finetune;
mod finetune_args;
mod generate;
mod logits;
mod memory;
mod model;
mod out_dir;
mod output;
mod plan;
mod prepared;
mod print;
mod progress;
mod readout;
mod replay;
mod run_dir;
mod tiles;
mod trajectory;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use context::{Context, Device, LimitsArg};

use crate::error::{Code, Error, Result};

/// Fine-tunes language models with MeZO, in about the memory that inference takes
#[derive(Debug, Parser)]
#[command(name = "pocketllm", version)]
struct Cli {
    /// Print results and errors as JSON
    #[arg(long, global = true, help_heading = "Global options")]
    json: bool,
    /// Where to compute: the GPU, the CPU, or the slow CPU reference kernels
    #[arg(long, global = true, help_heading = "Global options", value_enum, default_value_t)]
    device: Device,
    /// Which GPU limits to use: the adapter's own, or WebGPU's defaults
    #[arg(long, global = true, help_heading = "Global options", value_enum, default_value_t)]
    limits: LimitsArg,
    /// Matmul tiles: the fastest on this adapter, measured once (auto, or auto-f16 to try half precision
    /// too), a safe choice (untuned), or names by class
    #[arg(long, global = true, help_heading = "Global options", default_value = "untuned")]
    tiles: String,
    /// Read the layers' weights from a scratch file in each pass instead of keeping them in GPU memory, for models that are larger than
    /// it. Adapters and readouts can then be trained, but the weights cannot. The file is in the system's directory for temporary files (TMPDIR)
    #[arg(long, global = true, help_heading = "Global options")]
    stream_layers: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the logits of texts or token ids to a safetensors file
    Logits(logits::Args),
    /// Fine-tune a model on a data file
    ///
    /// A run whose loss explodes is stopped with exit status 1 and the code non-finite-loss. Its record is kept up to the last good
    /// step, and the message names the setting at fault, with a value to try. COMMAND-LINE.md has the rule.
    Finetune(Box<finetune_args::Args>),
    /// Recompute the fine-tuned weights from the base model and a trajectory
    Replay(replay::Args),
    /// Measure loss and accuracy on a data file, along with the baseline and the results of each label
    Evaluate(evaluate::Args),
    /// Label texts, with the probability of each label
    Classify(classify::Args),
    /// Continue a prompt
    Generate(generate::Args),
    /// Show how much GPU memory a run takes, from the model's header alone
    Plan(plan::Args),
    /// Measure a forward pass and a training step, which is a plain one: Adam, the default of some methods, computes on the host and is not timed
    Bench(bench::Args),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let mut cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return refuse(&usage),
    };
    let Cli { json, device, limits, tiles, stream_layers, .. } = &cli;
    let (json, device, limits, stream_layers) = (*json, *device, *limits, *stream_layers);
    let context = Context { json, device, limits, tiles: tiles.clone(), stream_layers };
    let result = pollster::block_on(run_to_end(&context, &mut cli.command));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&context, &error);
            ExitCode::from(if error.code() == Code::InvalidArgument { 2 } else { 1 })
        }
    }
}

/// Reports bad usage, or prints the requested help. There is no [`Context`] yet, so `--json` is looked up manually.
fn refuse(usage: &clap::Error) -> ExitCode {
    if usage.use_stderr() && std::env::args_os().any(|arg| arg == "--json") {
        print_json(Code::InvalidArgument, usage.to_string().trim_end());
    }
    // If stderr is closed, there is no way to report this.
    let _ = usage.print();
    if usage.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

/// Seconds to wait before each attempt to start again on a new device, because a driver may need a moment to restart.
const PAUSES: [u64; 3] = [0, 1, 3];

/// Runs a command. If the GPU is lost, the command starts again on a new device, with shorter submits. Training continues from its
/// record.
async fn run_to_end(context: &Context, command: &mut Command) -> Result<()> {
    for pause in PAUSES {
        match run(context, command).await {
            Err(error) if error.code() == Code::DeviceLost && command.begins_again(context) => {
                print::note!("{error}. The command continues on a new device, with shorter submits.");
                std::thread::sleep(Duration::from_secs(pause));
            }
            result => return result,
        }
    }
    run(context, command).await
}

impl Command {
    /// Prepares to rerun a command that a lost device has interrupted. Returns whether that is possible; it is not if a part of the
    /// result has been printed.
    fn begins_again(&mut self, context: &Context) -> bool {
        match self {
            Command::Finetune(args) => {
                args.resume = true;
                true
            }
            Command::Logits(_) | Command::Replay(_) | Command::Evaluate(_) => true,
            Command::Generate(_) => context.json,
            Command::Classify(_) | Command::Plan(_) | Command::Bench(_) => false,
        }
    }
}

async fn run(context: &Context, command: &Command) -> Result<()> {
    match command {
        Command::Logits(args) => logits::run(context, args).await,
        Command::Finetune(args) if args.options.is_readout() => readout::run(context, args).await,
        Command::Finetune(args) => finetune::run(context, args).await,
        Command::Replay(args) => replay::run(context, args).await,
        Command::Evaluate(args) => evaluate::run(context, args).await,
        Command::Classify(args) => classify::run(context, args).await,
        Command::Generate(args) => generate::run(context, args).await,
        Command::Plan(args) => plan::run(context, args).await,
        Command::Bench(args) => bench::run(context, args).await,
    }
}

fn report(context: &Context, error: &Error) {
    if context.json {
        print_json(error.code(), error.message());
    }
    print::note!("error: {error}");
}

fn print_json(code: Code, message: &str) {
    // If stdout is not writable, the message goes only to stderr.
    let _ = print::say!("{}", serde_json::json!({ "error": { "code": code.as_str(), "message": message } }));
}
