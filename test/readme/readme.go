// Package readme reads what the README tells people to type, so that its test can type it. It must never be imported by a program.
package readme

import (
	"fmt"
	"strings"
)

// Command is one line of a shell, with what it must print.
type Command struct {
	Line string
	// Wants are the lines after it that begin with "# → ".
	Wants []string
}

// answer begins a line that says what the command above it prints.
const answer = "# → "

// Block is a fenced block of a document: its language and its lines.
type Block struct {
	Language string
	Lines    []string
}

// Section gives what stands under a heading of the second level.
func Section(document, heading string) (string, error) {
	_, rest, ok := strings.Cut(document, "\n## "+heading+"\n")
	if !ok {
		return "", fmt.Errorf("there is no section %q", heading)
	}
	section, _, _ := strings.Cut(rest, "\n## ")
	return section, nil
}

// Blocks gives the fenced blocks of a text.
func Blocks(text string) []Block {
	var blocks []Block
	open := false
	for _, line := range strings.Split(text, "\n") {
		language, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && !open:
			blocks = append(blocks, Block{Language: language})
			open = true
		case fence:
			open = false
		case open:
			last := &blocks[len(blocks)-1]
			last.Lines = append(last.Lines, line)
		}
	}
	return blocks
}

// Commands gives the commands of a shell block.
func (b Block) Commands() ([]Command, error) {
	var out []Command
	for _, line := range b.Lines {
		want, ok := strings.CutPrefix(line, answer)
		switch {
		case ok && len(out) == 0:
			return nil, fmt.Errorf("%q answers no command", line)
		case ok:
			last := &out[len(out)-1]
			last.Wants = append(last.Wants, want)
		case strings.TrimSpace(line) != "":
			out = append(out, Command{Line: line})
		}
	}
	return out, nil
}
