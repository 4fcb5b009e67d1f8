//! Programs that have to be called in another way than their image's own would be: a script in the pod's folder that
//! does so, first on the container's `PATH`.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::image::Program;

/// What calls the AWS CLI. Its image holds version 2; the first version takes the endpoint of SQS from a table of its own
/// whatever the variables say (awscli/customizations/overridesslcommonname.py), and would speak to AWS itself. A flag of
/// the caller's comes later on the line, and wins.
const AWS_CLI: &str = r#"#!/bin/sh
if [ "${AWS_IGNORE_CONFIGURED_ENDPOINT_URLS:-}" != true ]; then
  case " $* " in
  *" sqs "*)
    endpoint=${AWS_ENDPOINT_URL_SQS:-${AWS_ENDPOINT_URL:-}}
    [ -z "$endpoint" ] || set -- --endpoint-url "$endpoint" "$@"
    ;;
  esac
fi
exec PROGRAM "$@"
"#;

/// Writes the script for `program` below `folder` if it needs one, and gives the program to run instead.
pub(super) fn instead_of(program: Program, folder: &Path) -> io::Result<(Program, Option<PathBuf>)> {
    if program.path.file_name().is_none_or(|name| name != "aws") {
        return Ok((program, None));
    }
    let bin = folder.join("bin");
    std::fs::create_dir_all(&bin)?;
    let (script, beside) = (bin.join("aws"), bin.join("aws.new"));
    let quoted = format!("'{}'", program.path.display().to_string().replace('\'', r"'\''"));
    std::fs::write(&beside, AWS_CLI.replace("PROGRAM", &quoted))?;
    std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o755))?;
    // Whoever runs it already keeps what it has opened.
    std::fs::rename(&beside, &script)?;
    Ok((Program { path: script, ..program }, Some(bin)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(script: &Path, words: &[&str], variables: &[(&str, &str)]) -> String {
        let mut command = std::process::Command::new(script);
        let output = command.args(words).env_clear().envs(variables.iter().copied()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// `aws`, as a program that says its words.
    fn aws(folder: &Path) -> PathBuf {
        let program = folder.join("it's here/aws");
        std::fs::create_dir_all(program.parent().unwrap()).unwrap();
        std::fs::write(&program, "#!/bin/sh\nprintf '%s|' \"$@\"").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        program
    }

    #[test]
    fn the_aws_cli_is_given_the_endpoint_for_sqs_and_only_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = aws(folder.path());
        let program = Program { folder: path.parent().map(Path::to_owned), path };
        let (stand_in, bin) = instead_of(program, &folder.path().join("pod")).unwrap();
        assert_eq!(bin.as_deref(), stand_in.path.parent());
        let endpoint = ("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
        let receive = ["sqs", "receive-message", "--query=[a, b]"];
        let flagged = "--endpoint-url|http://127.0.0.1:1|sqs|receive-message|--query=[a, b]|";
        assert_eq!(said(&stand_in.path, &receive, &[endpoint]), flagged);
        let ids = ["sts", "get-caller-identity"];
        assert_eq!(said(&stand_in.path, &ids, &[endpoint]), "sts|get-caller-identity|");
        // What the pod says itself goes before what it was given.
        let own = ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:2");
        assert!(said(&stand_in.path, &receive, &[endpoint, own]).starts_with("--endpoint-url|http://127.0.0.1:2|sqs|"));
        let ignored = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
        assert_eq!(said(&stand_in.path, &receive, &[endpoint, ignored]), "sqs|receive-message|--query=[a, b]|");
        assert_eq!(said(&stand_in.path, &receive, &[]), "sqs|receive-message|--query=[a, b]|");
    }

    #[test]
    fn other_programs_are_run_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let program = Program { path: "/venv/bin/consumer".into(), folder: Some("/venv/bin".into()) };
        assert_eq!(instead_of(program.clone(), folder.path()).unwrap(), (program, None));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
