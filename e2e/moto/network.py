"""A network as EKS on Fargate wants it, in moto: private subnets in two zones with a way out, and a role of somebody else."""

import json

import boto3

REGION = "eu-west-1"


def make(moto):
    """Makes it; the subnets' ids."""
    session = boto3.Session(aws_access_key_id="key", aws_secret_access_key="secret", region_name=REGION)
    ec2, iam = session.client("ec2", endpoint_url=moto), session.client("iam", endpoint_url=moto)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    for attribute in ("EnableDnsSupport", "EnableDnsHostnames"):
        ec2.modify_vpc_attribute(VpcId=vpc, **{attribute: {"Value": True}})
    subnet = lambda number, zone: ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=REGION + zone)["Subnet"]["SubnetId"]
    public, private = subnet(0, "a"), [subnet(1, "a"), subnet(2, "b")]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(VpcId=vpc, InternetGatewayId=gateway)
    nat = ec2.create_nat_gateway(SubnetId=public, AllocationId=ec2.allocate_address(Domain="vpc")["AllocationId"])["NatGateway"]["NatGatewayId"]
    for subnets, way in (([public], {"GatewayId": gateway}), (private, {"NatGatewayId": nat})):
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **way)
        for one in subnets:
            ec2.associate_route_table(RouteTableId=table, SubnetId=one)
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    iam.create_role(RoleName="team-role", Description="of another team", AssumeRolePolicyDocument=json.dumps(trust))
    return private
