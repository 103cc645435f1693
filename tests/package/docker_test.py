"""The files for Docker, as far as they can be checked without it: their commands are those that the package has."""

import re
import subprocess
import sys
import unittest

import yaml

COMPOSE, DOCKERFILE, *PROGRAMS = sys.argv[1:]

# The names of the programs in the package, and the binaries here.
BINARIES = {
    "groupcast-channel-server": "channel_server",
    "groupcast-http-gateway": "http_gateway",
    "groupcast-websocket-service": "websocket_service",
}


def binary(program):
    return next(path for path in PROGRAMS if path.endswith("/" + BINARIES[program]))


def flags_of(program):
    return set(re.findall(r"^  (--[a-z_]+)", subprocess.run(
        [binary(program), "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout, re.MULTILINE))


class DockerTest(unittest.TestCase):
    def setUp(self):
        with open(COMPOSE, encoding="utf-8") as file:
            self.services = yaml.safe_load(file)["services"]
        with open(DOCKERFILE, encoding="utf-8") as file:
            self.dockerfile = file.read()

    def assert_is_known(self, command):
        program, *flags = command
        self.assertIn(program, BINARIES)
        unknown = {flag.split("=")[0] for flag in flags} - flags_of(program)
        self.assertFalse(unknown, f"flags that {program} does not have")

    def test_each_service_runs_a_program_with_flags_that_it_has(self):
        programs = [service["command"][0] for service in self.services.values()]
        self.assertEqual(sorted(programs), sorted(BINARIES))
        for service in self.services.values():
            self.assert_is_known(service["command"])

    def test_the_image_runs_a_program_of_the_package(self):
        command = re.search(r"^CMD \[(.*)\]$", self.dockerfile, re.MULTILINE).group(1)
        self.assert_is_known(re.findall(r'"([^"]*)"', command))

    def test_ports_are_published_on_this_machine_alone(self):
        ports = [port for service in self.services.values() for port in service.get("ports", [])]
        self.assertEqual(sorted(ports), ["127.0.0.1:1234:1234", "127.0.0.1:8080:8080"])

    def test_all_services_share_the_sockets_and_one_has_the_messages(self):
        volumes = [service["volumes"] for service in self.services.values()]
        self.assertTrue(all("sockets:/run/groupcast" in of_service for of_service in volumes))
        self.assertEqual(sum("messages:/var/lib/groupcast" in of_service for of_service in volumes), 1)

    def test_the_dashboard_asks_the_other_services(self):
        def address(name):
            return self.services[name]["networks"]["groupcast"]["ipv4_address"]

        self.assertIn(f"--dashboard_services={address('channel')}:9206,{address('websocket')}:9234",
                      self.services["gateway"]["command"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
