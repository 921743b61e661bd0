// Go: `link` or `upload_link` of the URL in the second argument; the keys come from LECTERN_KEYS.
package main

import (
	"fmt"
	"os"
	"time"

	"lectern"
)

func main() {
	mint := lectern.Link
	if os.Args[1] == "upload_link" {
		mint = lectern.UploadLink
	}
	link, err := mint(os.Args[2], lectern.Options{Viewer: "s/42 é", ExpiresIn: 10 * time.Minute})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(link)
}
