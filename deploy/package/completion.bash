# SPDX-License-Identifier: Apache-2.0
# Completion of sluice's command line: commands and options come from its own help.
_sluice() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$(sluice --help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p') --help --version" -- "$word")
        return
    fi
    case $previous in
    bench) [ "$COMP_CWORD" -eq 2 ] && mapfile -t COMPREPLY < <(compgen -W "eval pipeline" -- "$word") && [ ${#COMPREPLY[@]} -gt 0 ] && return ;;
    --qos) mapfile -t COMPREPLY < <(compgen -W "0 1 both" -- "$word") && return ;;
    --sql-version) mapfile -t COMPREPLY < <(compgen -W "2015-10-08 2016-03-23 beta" -- "$word") && return ;;
    esac
    case $word in
    -*) mapfile -t COMPREPLY < <(compgen -W "$(sluice "$command" --help 2>/dev/null | grep -o -e '--[a-z][a-z-]*' | sort -u) --help" -- "$word") ;;
    *) mapfile -t COMPREPLY < <(compgen -f -- "$word") && compopt -o filenames 2>/dev/null ;;
    esac
}
complete -F _sluice sluice
