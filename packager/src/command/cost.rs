//! `lectern cost`: estimates a month's cost.

use crate::command;
use crate::cost::answer;
use crate::cost::args::CostArgs;
use crate::cost::prices::Prices;
use anyhow::{Context as _, Result};

pub(crate) fn run(args: &CostArgs) -> Result<()> {
    let prices = Prices::known()?;
    let printed = answer(args, &prices).context("cannot say what it costs")?;
    command::print(printed.trim_end())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use crate::command::Cli;

    #[test]
    fn its_help_lists_every_input() {
        let mut command = Cli::command();
        let cost = command.find_subcommand_mut("cost").expect("the verb");
        let help = cost.render_help().to_string();
        // The exit codes end every verb's help.
        let (help, _) = help.split_once("\nExit codes:").expect("exit codes");
        insta::assert_snapshot!(help, @r#"
        Estimate a month's cost, here and at other services

        Usage: cost [OPTIONS] --minutes <MINUTES> --views <NUMBER>

        Options:
              --minutes <MINUTES>           Minutes of stored lectures
              --views <NUMBER>              Views a month
              --lecture-minutes <MINUTES>   Minutes of a lecture [default: 45]
              --watched <MINUTES>           Average minutes of a view [default: all of the lecture]
              --new-minutes <MINUTES>       Minutes of stored lectures that are published in this month [default: 0]
              --gigabytes <NUMBER>          Gigabytes of lectures in the bucket [default: estimated from minutes and rungs]
              --rungs <SIZES>               Rungs by short side, out of 1080, 720, 480, 360 and 240 [default: 1080,720,480]
              --segment-duration <SECONDS>  Seconds of a Media Segment [default: 4]
              --container <CONTAINER>       Container of the segments: `cmaf` has separate audio segments, `ts` has none [default: cmaf]
              --hit-ratio <SHARE>           Share of segment reads that the data centre's cache answers, from 0 to 1; 0 is the worst case [default: 0]
              --cpu-ms <MS>                 CPU milliseconds of a request, from the Worker's metrics [default: estimated]
              --viewers                     Count what the edge remembers of viewers: links with `sub` and `sessions`, played in the player page, which reports what plays
              --plan <PLAN>                 The Workers plan [default: paid] [possible values: free, paid]
              --no-included                 Charge for everything, because the rest of the account uses up the free amounts
              --json                        Print one JSON object, with every charge of every provider
          -h, --help                        Print help (see more with '--help')
        "#);
    }
}
