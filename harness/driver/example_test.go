package driver_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"superscalar/harness/driver"
)

// A driver is started with a command line, without a shell.
func ExampleSplit() {
	argv, err := driver.Split(`python3 'my driver.py' --level "very high"`)
	fmt.Printf("%q %v\n", argv, err)
	// Output: ["python3" "my driver.py" "--level" "very high"] <nil>
}

// What a case does with a driver, and with a command the driver lacks.
func ExampleSpawn() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, err := driver.Spawn(ctx, "python3 driver.py", driver.Options{})
	if err != nil {
		fmt.Println(err) // one line: what it did, what to do
		return
	}
	defer client.Close()
	node, err := client.Start(ctx, driver.RoleClient, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(node.NodeID, node.Address)
	if _, err := client.Invoice(ctx, 1000); errors.Is(err, driver.ErrUnsupported) {
		fmt.Println("skipped")
	}
}

// The templates are printed for the author of a driver to start from.
func ExampleTemplate() {
	source, err := driver.Template("python")
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = os.WriteFile("driver.py", []byte(source), 0o700)
}
