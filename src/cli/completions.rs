//! What makes a shell complete the arguments: the library's scripts, mended where somebody would not find a value or a
//! file.

use clap::CommandFactory;
use clap_complete::Shell;

use super::arguments::Cli;

/// The script for a shell.
pub fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tokenscope", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Bash => script.replace("complete -F _tokenscope ", "complete -F _tokenscope_words ") + BASH,
        Shell::Fish => script.replace(FISH, &format!("{FISH}{FISH_WITHOUT_LAST}")),
        _ => script,
    }
}

/// The library offers options, and no files, where a script's name is to come.
const BASH: &str = r#"
# A word without a dash is a command or a file, no option.
_tokenscope_words() {
    _tokenscope "$@"
    [[ $2 == -* ]] && return
    local word words=()
    for word in "${COMPREPLY[@]}"; do
        [[ ${word} == -* ]] || words+=("${word}")
    done
    COMPREPLY=("${words[@]}")
}
"#;

/// Where the library parses the words before the cursor. It fails behind an option whose value is to come.
const FISH: &str = "    argparse -s (__fish_tokenscope_global_optspecs) -- $cmd 2>/dev/null\n";
const FISH_WITHOUT_LAST: &str =
    "    or argparse -s (__fish_tokenscope_global_optspecs) -- $cmd[1..-2] 2>/dev/null\n";
